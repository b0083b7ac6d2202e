#include "server/etcd_settings.h"

namespace cdc {

EtcdConfig ClientConfig(const EtcdSection& section) {
  EtcdConfig config;
  config.endpoints = section.addresses;
  if (section.enable_auth) {
    config.user = section.username;
    config.password = section.password;
  }
  config.tls = section.enable_tls;
  if (section.enable_tls) {
    config.ca_pem_path = section.tls_ca_cert_path;
    config.client_pem_path = section.tls_cert_path;
    config.client_key_path = section.tls_key_path;
  }
  return config;
}

}  // namespace cdc
