"""A reader of sentences for one language, whose words and forms are a campaign's data."""
