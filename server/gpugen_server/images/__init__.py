"""Images: checked and encoded anew on arrival, kept in a folder, found by their rows in the database."""
