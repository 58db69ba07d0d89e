#!/bin/sh
# embed.sh < www/embed.js > dist/embed.js: without comments, and without spaces beside punctuation. The file says what it keeps to for this.
exec sed -E -e '/^ *\/\//d' -e 's/^ +//' -e 's/ *([]{}=>(),;:?|&+<![]+) */\1/g' -e '/^$/d'
