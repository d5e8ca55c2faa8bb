"""Where text comes from: parallel text, labelled sentences, filters, word links."""
