"""The settlement statement (Verrechnungsbeleg): the PDF that lists what a partner may invoice."""
