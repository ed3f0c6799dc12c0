package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// TLSFiles names the PEM files of a listener.
type TLSFiles struct {
	// Cert is the certificate with its chain, Key its private key.
	Cert, Key string
	// ClientCA, when set, makes clients present a certificate of one of its
	// authorities.
	ClientCA string
}

// used tells whether the listener speaks TLS.
func (f TLSFiles) used() bool { return f.Cert != "" || f.Key != "" }

// certificates are what a listener presents. They are read again when the
// files change, so that nobody restarts a node for a renewed certificate.
type certificates struct {
	files TLSFiles
	conf  atomic.Pointer[tls.Config]

	mu   sync.Mutex
	seen [3]os.FileInfo
}

func loadCertificates(f TLSFiles) (*certificates, error) {
	c := &certificates{files: f}
	_, err := c.reload()
	return c, err
}

// reload reads the files if they have changed. After an error the old ones
// stay in use.
func (c *certificates) reload() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var infos [3]os.FileInfo
	same := c.conf.Load() != nil
	for i, path := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if path == "" {
			continue
		}
		if infos[i], err = os.Stat(path); err != nil {
			return false, fmt.Errorf("tls: %w", err)
		}
		old := c.seen[i]
		same = same && old != nil && os.SameFile(old, infos[i]) && old.ModTime().Equal(infos[i].ModTime()) && old.Size() == infos[i].Size()
	}
	if same {
		return false, nil
	}
	conf, err := c.files.config()
	if err != nil {
		return false, err
	}
	c.conf.Store(conf)
	c.seen = infos
	return true, nil
}

func (f TLSFiles) config() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: %s and %s: %w", f.Cert, f.Key, err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if f.ClientCA != "" {
		pem, err := os.ReadFile(f.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		conf.ClientCAs = x509.NewCertPool()
		if !conf.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls: %s has no certificate of an authority", f.ClientCA)
		}
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return conf, nil
}

// wrap makes the connections of l speak TLS.
func (c *certificates) wrap(l net.Listener) net.Listener {
	return &tlsListener{Listener: l, conf: &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.conf.Load(), nil
		},
	}}
}

type tlsListener struct {
	net.Listener
	conf *tls.Config
}

// Accept never waits for a handshake: that is up to the connection's reader.
func (l *tlsListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tlsConn{Conn: tls.Server(c, l.conf)}, nil
}

// tlsConn makes the handshake with its first read, within the time a head has.
type tlsConn struct {
	*tls.Conn
	greeted bool
}

// Read reads what the client sent. It is called by one goroutine at a time.
func (c *tlsConn) Read(b []byte) (int, error) {
	if !c.greeted {
		ctx, cancel := context.WithTimeout(context.Background(), headerTimeout)
		err := c.HandshakeContext(ctx)
		cancel()
		if err != nil {
			return 0, err
		}
		c.greeted = true
	}
	return c.Conn.Read(b)
}

// certInterval is how often the files are looked at.
const certInterval = 30 * time.Second

// Reload reads the files again that may change while the node runs; a process
// does it on SIGHUP. After an error what was read before stays in use.
func (n *Node) Reload() error {
	var errs []error
	if n.certs != nil {
		changed, err := n.certs.reload()
		if changed {
			n.log.Info("the certificate was read again")
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (n *Node) reloadLoop(ctx context.Context) error {
	return every(ctx, certInterval, func() {
		if err := n.Reload(); err != nil {
			n.log.Error("a file was not read again; what was read before stays in use", "error", err)
		}
	})
}
