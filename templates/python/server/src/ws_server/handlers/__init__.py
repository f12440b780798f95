"""Code of yours: a later generation leaves these files as they are."""
