#!/bin/sh
# Prints a Python that can carry the gateway: one of the tested versions if there is one, else a newer python3.
set -eu

fits() {
    "$1" -c "import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $2))" >/dev/null 2>&1
}

for candidate in python3 python3.13 python3.12 python3.11; do
    if fits "$candidate" 13; then
        command -v "$candidate"
        exit 0
    fi
done
for candidate in python3 python3.14; do
    if fits "$candidate" 99; then
        command -v "$candidate"
        exit 0
    fi
done

found=$(python3 --version 2>/dev/null || echo "no python3")
echo "cryptomarket needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv); found: $found." >&2
exit 1
