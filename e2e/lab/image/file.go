package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// File is one entry of an image's file system. Exactly one of Source, Content and Link says what it holds; a File with
// none of them is an empty file, or a directory when Mode says so.
type File struct {
	Path     string      // in the image, absolute
	Source   string      // a file of this machine
	Content  []byte      // or these bytes
	Link     string      // or a symbolic link with this target
	Mode     fs.FileMode // permissions, set-ID bits, fs.ModeDir; zero is 0755 for Source and 0644 for Content
	UID, GID int
}

// Tree lists what lies below dir on this machine as files of an image below prefix, owners and modes kept. Sockets,
// devices and what skip names (by its path in the image) are left out, a skipped directory with all below it.
func Tree(dir, prefix string, skip func(path string) bool) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(source string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, source)
		if err != nil {
			return err
		}
		file := File{Path: path.Join(prefix, filepath.ToSlash(rel))}
		if skip != nil && skip(file.Path) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		known, err := file.read(source, entry)
		if known {
			files = append(files, file)
		}
		return err
	})
	return files, err
}

func (f *File) read(source string, entry fs.DirEntry) (known bool, err error) {
	info, err := entry.Info()
	if err != nil {
		return false, err
	}
	f.Mode = info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | fs.ModeDir)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		f.UID, f.GID = int(stat.Uid), int(stat.Gid)
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
	case fs.ModeSymlink:
		f.Link, err = os.Readlink(source)
	case 0:
		f.Source = source
	default:
		return false, nil
	}
	return err == nil, err
}

// writeTar writes the files as a layer: sorted, every parent directory present, no time but the epoch, so that the same
// files give the same bytes. Of two files at one path the later wins.
func writeTar(w io.Writer, files []File) error {
	archive := tar.NewWriter(w)
	for _, file := range complete(files) {
		if err := file.write(archive); err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	return archive.Close()
}

func complete(files []File) []File {
	all := map[string]File{}
	for _, file := range files {
		file.Path = path.Clean("/" + file.Path)
		all[file.Path] = file
	}
	for _, file := range files {
		for dir := path.Dir(path.Clean("/" + file.Path)); dir != "/"; dir = path.Dir(dir) {
			if _, there := all[dir]; !there {
				all[dir] = File{Path: dir, Mode: fs.ModeDir | 0o755}
			}
		}
	}
	delete(all, "/")
	sorted := make([]File, 0, len(all))
	for _, file := range all {
		sorted = append(sorted, file)
	}
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Path < sorted[j].Path })
	return sorted
}

func (f File) write(archive *tar.Writer) error {
	content, size, err := f.open()
	if err != nil {
		return err
	}
	defer content.Close()
	if err := archive.WriteHeader(f.header(size)); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}

func (f File) open() (io.ReadCloser, int64, error) {
	if f.Source == "" {
		return io.NopCloser(bytes.NewReader(f.Content)), int64(len(f.Content)), nil
	}
	file, err := os.Open(f.Source)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return file, info.Size(), nil
}

func (f File) header(size int64) *tar.Header {
	header := &tar.Header{
		Name: strings.TrimPrefix(f.Path, "/"), Size: size, Mode: f.mode(), Uid: f.UID, Gid: f.GID,
		Typeflag: tar.TypeReg, ModTime: epoch, Format: tar.FormatPAX,
	}
	switch {
	case f.Link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.Link, 0o777
	case f.Mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
	}
	return header
}

// mode is the file's mode as tar has it: permissions and the three bits above them.
func (f File) mode() int64 {
	mode := int64(f.Mode.Perm())
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if f.Mode&bit != 0 {
			mode |= value
		}
	}
	switch {
	case f.Mode != 0:
		return mode
	case f.Source != "":
		return 0o755
	default:
		return 0o644
	}
}
