"""Near-duplicates: clips that show the same video under another name, by fingerprints of their pixels."""
