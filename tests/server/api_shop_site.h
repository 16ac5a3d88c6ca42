// The API of a server that has one app, shop, and no build of it.
#pragma once

#include "api_site.h"

struct ShopSite : ApiSite {
    ShopSite() {
        store->add_app({"shop", 1});
        repositories.create("shop");
        deploy = add_token("ci", {"app:shop:deploy"});
    }
    std::string root = add_token("root", {"server"});
    std::string deploy;
};
