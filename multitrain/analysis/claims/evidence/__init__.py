"""Claims of the paper that are no differences of accuracies, answered by what runs leave beside their predictions."""
