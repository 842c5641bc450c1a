"""What a diagnosis looks like: terminal tables, figures, files. No physics is computed here."""
