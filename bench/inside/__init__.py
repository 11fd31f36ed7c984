"""What goes on inside a retriever that names its items by codes, stored beside its cell."""
