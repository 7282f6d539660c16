"""Programs copied into a guest and run there: one file each, standard library only, Python 3.11."""
