"""What is known of languages: tables, URIEL, feature files, ISO 639-3, codes of other schemes."""
