"""The app: ask an index in the browser."""
