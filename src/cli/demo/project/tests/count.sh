#!/bin/sh
# Says what differs; the exit code says whether anything does.
failed=0
is() { # what, wanted, got
  [ "$2" = "$3" ] || { printf '%s: wanted "%s", got "%s"\n' "$1" "$2" "$3"; failed=1; }
}
is 'two words' 2 "$(printf 'Hello world\n' | sh count.sh)"
is 'two lines' 3 "$(printf 'Hello\nbig world\n' | sh count.sh)"
exit "$failed"
