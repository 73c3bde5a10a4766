# Reads a dump of MariaDB or MySQL to its end and says what is in it: "table `NAME`" for each, "> " before each line of its
# events, "longest BYTES" of its longest line, and "whole" when the tool that wrote it had come to the end of both.
#
#   read-dump.sh      standard input: the dump
set -eu

# a data line ends no statement that begins a line: names and values have their line ends escaped
LC_ALL=C exec awk '
    length > longest { longest = length }
    /^CREATE TABLE `/ { sub(/^CREATE TABLE /, ""); sub(/ \($/, ""); print "table " $0 }
    /^-- windlass: events$/ { whole = done; events = 1; next }
    events { print "> " $0 }
    /^-- Dump completed/ { done = 1; next }
    /./ { done = 0 }
    END {
        print "longest " longest + 0
        if (events && whole && done) print "whole"
    }
'
