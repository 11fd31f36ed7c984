"""What a reader decides by: accuracy against speed, and what each retriever costs."""
