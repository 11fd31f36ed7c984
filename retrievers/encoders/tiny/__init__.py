"""Small towers that are trained here: of pictures, sounds and videos, and of the texts."""
