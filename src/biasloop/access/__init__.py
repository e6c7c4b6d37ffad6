"""Who may enter, by which link, and for how long."""
