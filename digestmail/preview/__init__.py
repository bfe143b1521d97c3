"""The preview: a local web page that shows a mail as its readers get it, before anybody does."""
