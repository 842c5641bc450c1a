"""From the law to a verdict: is the gradient there, how fast does it die, what is left, what to change."""
