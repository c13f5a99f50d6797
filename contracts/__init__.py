"""What workflows, activities and clients agree on: names, messages, argument types, encryption."""
