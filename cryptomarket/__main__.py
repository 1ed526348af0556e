"""`python -m cryptomarket`."""

from cryptomarket.cli import main

if __name__ == "__main__":
    main()
