"""A folder of images that is kept searchable."""
