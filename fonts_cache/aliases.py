"""Names that people type and cannot be shipped, each with its twin among the fonts that ship. A table and nothing else.

A twin is metric where one exists (same advance widths, so lines break alike), and otherwise alike in style. A font file
that really bears one of these names goes first. Families that anybody may download are not listed: standing in
for them silently would be a lie.
"""

from __future__ import annotations

METRIC = {
    "Arial": "Arimo",
    "Helvetica": "Arimo",
    "Liberation Sans": "Arimo",
    "Times": "Tinos",
    "Times New Roman": "Tinos",
    "Liberation Serif": "Tinos",
    "Courier": "Cousine",
    "Courier New": "Cousine",
    "Liberation Mono": "Cousine",
}

STYLISTIC = {
    "Arial Black": "Anton",
    "Arial Narrow": "Arimo",
    "Trebuchet MS": "Arimo",
    "Helvetica Neue": "Arimo",
    "Verdana": "Arimo",
    "Tahoma": "Arimo",
    "Segoe UI": "Arimo",
    "Calibri": "Arimo",
    "Avenir": "Montserrat",
    "Century Gothic": "Montserrat",
    "Futura": "Montserrat",
    "Gotham": "Montserrat",
    "Proxima Nova": "Montserrat",
    "Impact": "Anton",
    "Haettenschweiler": "Anton",
    "Cambria": "Tinos",
    "Georgia": "Tinos",
    "Garamond": "Playfair Display",
    "Didot": "Playfair Display",
    "Bodoni": "Playfair Display",
    "Baskerville": "Playfair Display",
    "Consolas": "Cousine",
    "Menlo": "Cousine",
    "Monaco": "Cousine",
    "Comic Sans": "Comic Neue",
    "Comic Sans MS": "Comic Neue",
    "Chalkboard": "Comic Neue",
    "Brush Script MT": "Caveat",
    "Bradley Hand": "Caveat",
    "Segoe Print": "Caveat",
}

# The generic families of CSS.
GENERIC = {
    "sans-serif": "Arimo",
    "serif": "Tinos",
    "monospace": "Cousine",
    "cursive": "Caveat",
    "system-ui": "Arimo",
}

ALIASES = METRIC | STYLISTIC | GENERIC

# Better twins, where Google Fonts can be asked: the first three have the very widths of their models.
FETCHED = {
    "Calibri": "Carlito",
    "Cambria": "Caladea",
    "Georgia": "Gelasio",
    "Arial Narrow": "Archivo Narrow",
    "Arial Black": "Archivo Black",
    "Baskerville": "Libre Baskerville",
    "Bodoni": "Bodoni Moda",
    "Century Gothic": "Didact Gothic",
    "Consolas": "Inconsolata",
    "Futura": "Jost",
    "Garamond": "EB Garamond",
    "Segoe UI": "Open Sans",
    "Trebuchet MS": "Fira Sans",
}
# Twins with the widths of their models are as good as what was asked for.
SILENT = {*METRIC, *GENERIC, "Calibri", "Cambria", "Georgia"}
