"""The embedded world: artificial languages with known word links, and the small encoder that knows them."""
