"""Published models: fetched from a hub, a URL or a folder, and made into bundles."""
