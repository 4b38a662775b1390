"""One module per recipe, each with the same four names: Config, build, train, main."""
