"""Other ways to fan out, each as good as its idea allows, that the product is measured beside."""
