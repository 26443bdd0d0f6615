package execsvc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
)

// Option changes what Dial makes.
type Option func(*settings) error

// settings is what a client is made of.
type settings struct {
	tls              *tls.Config // nil: no TLS
	token            TokenSource // nil: none is sent
	callTimeout      time.Duration
	reconnectTimeout time.Duration // 0: for ever
	dialOptions      []grpc.DialOption
	timing           timing
}

func (s *settings) tlsConfig() *tls.Config {
	if s.tls == nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return s.tls
}

// WithTLS connects with TLS; nil trusts the system's certificate authorities. For mTLS the config has the client's
// certificate.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) error {
		if config == nil {
			s.tlsConfig()
			return nil
		}
		s.tls = config.Clone()
		return nil
	}
}

// WithCA connects with TLS and trusts these certificate authorities, in PEM, instead of the system's.
func WithCA(pem []byte) Option {
	return func(s *settings) error {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return errors.New("execsvc: the CA holds no certificate in PEM")
		}
		s.tlsConfig().RootCAs = pool
		return nil
	}
}

// WithCAFile is WithCA with the certificates of a file.
func WithCAFile(path string) Option {
	return func(s *settings) error {
		pem, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("execsvc: read the CA: %w", err)
		}
		return WithCA(pem)(s)
	}
}

// WithServerName connects with TLS and expects this name in the server's certificate instead of the target's host.
func WithServerName(name string) Option {
	return func(s *settings) error {
		s.tlsConfig().ServerName = name
		return nil
	}
}

// TokenSource returns what is sent as "authorization: Bearer …"; it is asked anew for each call. An empty token is not
// sent; an error makes the call fail with ErrUnauthenticated.
type TokenSource func(ctx context.Context) (string, error)

// WithToken sends a token with every call. Use it with TLS only.
func WithToken(token string) Option {
	return WithTokenSource(func(context.Context) (string, error) { return token, nil })
}

// WithTokenSource sends the token that a function returns with every call. Use it with TLS only.
func WithTokenSource(source TokenSource) Option {
	return func(s *settings) error {
		s.token = source
		return nil
	}
}

// WithCallTimeout sets how long a call may take, repeats included; a context may end it earlier. The default is 30 s.
// Streams and Wait have no such limit.
func WithCallTimeout(timeout time.Duration) Option {
	return func(s *settings) error {
		if timeout <= 0 {
			return fmt.Errorf("execsvc: the call timeout must be positive, got %v", timeout)
		}
		s.callTimeout = timeout
		return nil
	}
}

// WithReconnectTimeout sets how long logs, watches and Wait go on trying to reach the server without hearing from it.
// The default is five minutes; 0: for ever.
func WithReconnectTimeout(timeout time.Duration) Option {
	return func(s *settings) error {
		if timeout < 0 {
			return fmt.Errorf("execsvc: the reconnect timeout must not be negative, got %v", timeout)
		}
		s.reconnectTimeout = timeout
		return nil
	}
}

// WithDialOptions adds gRPC's own options, such as interceptors; they win over those of this client.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) error {
		s.dialOptions = append(s.dialOptions, options...)
		return nil
	}
}
