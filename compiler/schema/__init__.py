"""Plain data that the stages share: source spans, types and their layout, declarations."""
