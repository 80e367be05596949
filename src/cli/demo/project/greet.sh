#!/bin/sh
# Greets the world.
printf 'Hello, world!\n'
