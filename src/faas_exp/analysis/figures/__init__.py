"""The figures: each function draws one and returns it; ``generate`` writes them, the report embeds them."""
