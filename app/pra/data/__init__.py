"""Reading and writing the database of the running application."""
