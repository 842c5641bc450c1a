"""Numbers, facts and tables as text: for terminals, notebooks and pages."""
