"""Who says something of items that nobody may have captioned: caption enhancement's ways."""
