"""What pages are made of: the template environment, figures and the map of languages."""
