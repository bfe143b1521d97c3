"""Text: strings in, strings out; TeX made readable, texts cut short. No network, no files, no mail."""
