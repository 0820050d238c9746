"""The words and the contracts: model, stream config, names, result line. Pure, and light to import."""
