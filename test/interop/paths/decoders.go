// Reads paths as lines of hex digits, and answers each with what Go's decoders make of it: hex digits, one space between, and
// `-` where a decoder refuses.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path"
)

func cleaned(text string, err error) string {
	if err != nil {
		return "-"
	}
	return hex.EncodeToString([]byte(path.Clean("/" + text)))
}

// What net/http does with the target of a request.
func parsed(text string) (string, error) {
	target, err := url.ParseRequestURI(text)
	if err != nil {
		return "", err
	}
	return target.Path, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		raw, err := hex.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		text := string(raw)
		fmt.Fprintln(out, cleaned(parsed(text)), cleaned(url.PathUnescape(text)))
	}
}
