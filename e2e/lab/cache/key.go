package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Key is the hash of everything an entry is made from. Parts are told apart by their labels and lengths, so no two
// lists of parts look alike.
type Key struct{ sum hash.Hash }

// NewKey starts a key with plain words: versions, flags, the recipe's own version.
func NewKey(words ...string) *Key {
	key := &Key{sum: sha256.New()}
	for _, word := range words {
		key.add("word", word)
	}
	return key
}

func (k *Key) add(label, text string) { fmt.Fprintf(k.sum, "%s %d\n%s\n", label, len(text), text) }

// Tree adds every file below dir: its path in dir, its mode, what it holds. Go tests do not count, nor do the files and
// folders directly in dir that except names.
func (k *Key) Tree(dir string, except ...string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if slices.Contains(except, rel) && entry.IsDir() {
			return fs.SkipDir
		}
		if entry.IsDir() || strings.HasSuffix(path, "_test.go") || slices.Contains(except, rel) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		k.add("path", rel)
		k.add("mode", info.Mode().String())
		return k.content(path, info)
	})
}

func (k *Key) content(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		k.add("link", target)
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	fmt.Fprintf(k.sum, "file %d\n", info.Size())
	_, err = io.Copy(k.sum, file)
	return err
}

// String is the key so far, short enough for a path or an image's tag.
func (k *Key) String() string { return hex.EncodeToString(k.sum.Sum(nil))[:16] }
