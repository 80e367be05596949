#!/bin/sh
# Says what differs; the exit code says whether anything does.
failed=0
is() { # what, wanted, got
  [ "$2" = "$3" ] || { printf '%s: wanted "%s", got "%s"\n' "$1" "$2" "$3"; failed=1; }
}
is 'a name' 'Hello, Ada!' "$(sh greet.sh Ada)"
is 'two words' 'Hello, Ada Lovelace!' "$(sh greet.sh 'Ada Lovelace')"
is 'no name' 'Hello, world!' "$(sh greet.sh)"
exit "$failed"
