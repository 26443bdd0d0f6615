// Command pack lays a module out as a module proxy serves it, in a folder for GOPROXY=file://….
//
//	pack MODULE-FOLDER VERSION OUTPUT-FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: pack MODULE-FOLDER VERSION OUTPUT-FOLDER")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pack(source, version, output string) error {
	text, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return err
	}
	path := modfile.ModulePath(text)
	escaped, err := module.EscapePath(path)
	if err != nil {
		return err
	}
	folder := filepath.Join(output, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"list": version + "\n", version + ".mod": string(text), version + ".info": fmt.Sprintf("{%q: %q}\n", "Version", version),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(folder, version+".zip"))
	if err != nil {
		return err
	}
	if err := zip.CreateFromDir(archive, module.Version{Path: path, Version: version}, source); err != nil {
		return err
	}
	return archive.Close()
}
