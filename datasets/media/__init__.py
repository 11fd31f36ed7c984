"""Media files, not trusted, decoded into arrays: pictures, sounds and videos."""
