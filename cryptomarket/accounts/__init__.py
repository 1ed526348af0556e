"""Who asks: logins, identities, tokens, keys, and what each of them may do."""
