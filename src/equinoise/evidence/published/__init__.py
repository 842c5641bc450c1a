"""Our law against the tables that the authors of arXiv:2606.30688 published: every phase, their number beside ours."""
