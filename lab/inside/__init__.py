"""Programs that run inside a guest: one file each, standard library only, Python 3.11."""
