"""Edge lists as text: `reading` finds the table, `columns` says what each column is, `numbering` who is who."""
