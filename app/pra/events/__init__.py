"""The events that the application keeps: one interface, whichever database has them."""
