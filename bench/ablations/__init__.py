"""The ablations of the CART paper, as variants of a retriever, and what they say."""
